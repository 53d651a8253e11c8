// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

/// @dev Where a milestone stands. Three bits hold it; `Unfunded` must stay 0.
/// Settled is final. Submitted, ReleasePending, RefundPending and both disputes end by their clock,
/// Funded ends at its deadline: time alone leads each of them to Settled.
enum Status {
    Unfunded,
    Funded,
    Submitted,
    ReleasePending,
    RefundPending,
    /// @dev Disputed before a verdict: verifiers may still decide, silence leads to the agreed default.
    DisputedBeforeVerdict,
    /// @dev Disputed over a verdict: silence leads to what the verdict said.
    DisputedOverVerdict,
    Settled
}

/// @dev The on-chain part of an agreement, without its milestones. Periods are in seconds.
struct Terms {
    address buyer;
    address supplier;
    address token;
    /// @dev Zero where the parties agreed on none.
    address arbiter;
    /// @dev Strictly ascending, at most 32.
    address[] verifiers;
    /// @dev Between an accepting or rejecting attestation and its effect; 0 = accepted at once.
    uint32 objectionPeriod;
    /// @dev For the buyer to object to a submission; 0 = submissions are off.
    uint32 reviewPeriod;
    /// @dev For the arbiter to rule.
    uint32 arbitrationPeriod;
    /// @dev The payee's share when a dispute without a verdict ends in silence.
    uint16 defaultPayeeBps;
    address feeRecipient;
    /// @dev Out of the payee's part of each payout, rounded down.
    uint16 feeBps;
    /// @dev SHA-256 of the canonical document behind these terms.
    bytes32 documentHash;
    uint256 salt;
}

/// @dev One payable stage.
struct Milestone {
    uint128 amount;
    /// @dev Unix time when silence decides; 0 = a deposit, paid when funded.
    uint64 deadline;
    /// @dev Silence pays the payee (a progress payment) instead of the buyer (a milestone payment).
    bool paysOnSilence;
    /// @dev Bitmap over `Terms.verifiers`.
    uint32 verifierSet;
    /// @dev How many of the set must sign; 0 exactly when the set is empty.
    uint8 quorum;
    bytes32 requirementsHash;
}

/// @dev The one milestone that a call is about, and what proves that it belongs to the agreement.
struct MilestoneRef {
    /// @dev EIP-712 struct hashes of all milestones. The one at `index` is computed, so leave it zero.
    bytes32[] hashes;
    uint256 index;
    Milestone milestone;
}

/// @dev A verifier's signed verdict: 1 accepted, 2 rejected, 3 returned for rework (never sent here).
struct Attestation {
    bytes32 agreementId;
    uint256 milestone;
    uint8 verdict;
    /// @dev Cumulative amount that is certified; 0 when rejected.
    uint128 amount;
    bytes32 evidenceHash;
    uint64 issuedAt;
    uint64 validUntil;
}

/// @dev One attestation of a batch, with the milestone that it is about.
struct BatchItem {
    Terms terms;
    MilestoneRef ref;
    Attestation attestation;
}

/// @dev An ERC-3009 authorization to receive; its nonce is `keccak256(abi.encode(agreementId, chosen))`.
struct Authorization {
    address from;
    uint256 validAfter;
    uint256 validBefore;
    /// @dev 65 bytes as r, s, v, or whatever the token takes for contract wallets.
    bytes signature;
}

/// @dev A payee's signed offer to sell a milestone's payout.
struct Offer {
    /// @dev Zero: anyone may buy.
    address financier;
    /// @dev Token units, straight from financier to payee; less what has left the milestone since.
    uint128 price;
    /// @dev What the milestone held when the offer was signed.
    uint128 held;
    uint16 epoch;
    uint8 handover;
    uint64 validUntil;
}

/// @dev A change order: closes milestones of one agreement and funds those of a new one.
struct Amendment {
    /// @dev Bitmap of milestones to settle; what they hold moves over.
    uint64 closes;
    /// @dev Bitmap of new milestones to fund.
    uint64 funds;
    /// @dev What the closed milestones hold together, token units.
    uint256 carried;
    /// @dev The sum of the closed milestones' epochs.
    uint32 epochs;
    uint64 validUntil;
    Terms terms;
    Milestone[] milestones;
}

/// @dev What the contract remembers of a milestone.
struct MilestoneState {
    Status status;
    /// @dev The right-holder where the receivable was assigned, else zero: the supplier.
    address assignee;
    /// @dev When time decides; meaningful in every status but Unfunded, Funded and Settled.
    uint32 clock;
    /// @dev When the last attestation was issued.
    uint32 issuedAt;
    /// @dev Advanced by each change of status and each verdict, so that what was signed about the milestone as it
    /// was no longer counts. At 2^16 - 1 it stays, and signed acts count no more: their accounts must call.
    uint16 epoch;
    /// @dev Advanced by each assignment. At 2^8 - 1 it stays, and offers and signed assignments count no more.
    uint8 handover;
    /// @dev Cumulative amount that an accepting attestation will have paid; 0 otherwise.
    uint128 pending;
    /// @dev What has left the milestone so far, to either side.
    uint128 paid;
}

/// @title Milestone escrow
/// @notice Holds a buyer's tokens per milestone and pays them out by the rules that buyer and supplier
/// signed. Nobody administers it: no owner, no proxy, no pause, no fee of its own.
/// @dev Four deciders: a quorum of verifiers (`attest`), the parties (`resolve`), the arbiter (`rule`)
/// and time (`finalize`). `submit` and `dispute` only start a clock. Quorum, parties and arbiter act
/// while now < end, `finalize` when now >= end, consent until the end; `end` is the deadline while
/// Funded, the clock elsewhere. An act (`submit`, `dispute`, `rule`, `resolve`) is either sent by whom
/// it belongs to, or by anyone with that account's EIP-712 signature; an empty one is asked of contracts.
interface IMilestoneEscrow {
    /// @notice Buyer and supplier agreed on these terms; everything about the agreement is in here.
    event AgreementOpened(
        bytes32 indexed agreementId,
        address indexed buyer,
        address indexed supplier,
        Terms terms,
        Milestone[] milestones
    );
    /// @notice `funder` paid in `amount` for the milestones of the bitmap `milestones`.
    event MilestonesFunded(bytes32 indexed agreementId, address indexed funder, uint256 milestones, uint256 amount);
    /// @notice A quorum decided; `clock` is when it takes effect, the current time where at once.
    event MilestoneAttested(
        bytes32 indexed agreementId,
        uint256 indexed milestone,
        uint8 verdict,
        uint128 amount,
        bytes32 evidenceHash,
        uint64 issuedAt,
        uint256 signers,
        uint256 clock
    );
    /// @notice The payee says that the milestone is done; silence pays at `clock`.
    event MilestoneSubmitted(
        bytes32 indexed agreementId,
        uint256 indexed milestone,
        address indexed payee,
        bytes32 evidenceHash,
        uint256 clock
    );
    /// @notice `party` objected; the arbiter may rule until `clock`.
    event MilestoneDisputed(
        bytes32 indexed agreementId, uint256 indexed milestone, address indexed party, bytes32 reasonHash, uint256 clock
    );
    /// @notice The arbiter split all that was held.
    event MilestoneRuled(
        bytes32 indexed agreementId, uint256 indexed milestone, uint256 toPayee, uint256 toBuyer, bytes32 reasonHash
    );
    /// @notice Whoever gave something up agreed to this split.
    event MilestoneResolved(bytes32 indexed agreementId, uint256 indexed milestone, uint256 toPayee, uint256 toBuyer);
    /// @notice Time decided, out of `status`.
    event MilestoneFinalized(bytes32 indexed agreementId, uint256 indexed milestone, Status status);
    /// @notice Money left a milestone: `toPayee` is net of `fee`. What is still held stays behind.
    event MilestonePaid(
        bytes32 indexed agreementId,
        uint256 indexed milestone,
        address indexed payee,
        uint256 toPayee,
        uint256 fee,
        uint256 toBuyer
    );
    /// @notice An item of a batch could no longer be decided; `reason` is the selector of the error.
    event AttestationSkipped(bytes32 indexed agreementId, uint256 indexed milestone, bytes4 reason);
    /// @notice The right to the milestone's payout went from `payee` to `assignee` for `price`.
    event MilestoneAssigned(
        bytes32 indexed agreementId, uint256 indexed milestone, address indexed assignee, address payee, uint256 price
    );
    /// @notice The milestones of the bitmap `closes` are settled; the `carried` amount moved to `agreementId`.
    event AgreementAmended(bytes32 indexed replaces, bytes32 indexed agreementId, uint256 closes, uint256 carried);
    /// @notice `account` could not receive; the amount waits for `withdraw`.
    event PayoutCredited(address indexed token, address indexed account, uint256 amount);
    /// @notice `amount` of what had been credited was paid; `remaining` goes on waiting.
    event CreditWithdrawn(address indexed token, address indexed account, uint256 amount, uint256 remaining);

    /// @notice No agreement with these terms is open: they differ from what was signed, or were never opened.
    error AgreementNotOpen(bytes32 agreementId);
    /// @notice A bound of the terms is broken. `term` is the field's name.
    error TermOutOfBounds(bytes32 term, uint256 asked, uint256 atLeast, uint256 atMost);
    /// @notice A bound of one milestone is broken. `term` is the field's name.
    error MilestoneOutOfBounds(uint256 milestone, bytes32 term, uint256 asked, uint256 atLeast, uint256 atMost);
    /// @notice An account may not have this role: it is zero, this contract, or has another role.
    error RoleNotAllowed(bytes32 role, address account);
    /// @notice `asked` names milestones beyond the `count` that exist, or none.
    error UnknownMilestones(uint256 asked, uint256 count);
    /// @notice The milestone is `current`; the verb works where the bit of a status is set in `allowed`.
    error WrongStatus(uint256 milestone, Status current, uint256 allowed);
    /// @notice The window has closed: the verb works before `end`.
    error TooLate(uint256 nowAt, uint256 end);
    /// @notice The window is not over: the verb works from `end` on.
    error TooEarly(uint256 nowAt, uint256 end);
    /// @notice Only `allowed`, or someone with its signature, may do this.
    error NotAuthorized(address caller, address allowed);
    /// @notice This is not a signature of `signer` over `digest`.
    error InvalidSignature(address signer, bytes32 digest);
    /// @notice What was signed was valid until `validUntil`.
    error SignatureExpired(uint256 validUntil, uint256 nowAt);
    /// @notice The attestation speaks about another agreement or milestone.
    error AttestationMismatch(bytes32 agreementId, uint256 milestone, bytes32 expectedId, uint256 expectedMilestone);
    /// @notice Only 1 (accepted) and 2 (rejected) change anything here.
    error VerdictNotAllowed(uint8 verdict);
    /// @notice An attestation must be newer than the last one and not from the future.
    error IssuedAtOutOfBounds(uint256 issuedAt, uint256 after_, uint256 atMost);
    /// @notice The certified amount must exceed what was paid and not exceed the milestone.
    error AmountOutOfBounds(uint256 asked, uint256 atLeast, uint256 atMost);
    /// @notice `signers` has bits outside the milestone's `verifierSet`.
    error SignersNotAllowed(uint256 signers, uint256 verifierSet);
    /// @notice Fewer signers than the quorum, or a quorum of 0: then nobody can attest.
    error QuorumNotReached(uint256 signers, uint256 quorum);
    /// @notice One signature for each bit of `signers`.
    error SignatureCountMismatch(uint256 signatures, uint256 signers);
    /// @notice The agreement has submissions switched off.
    error SubmissionsOff();
    /// @notice This dispute needs an arbiter, and the agreement has none.
    error NoArbiter();
    /// @notice The split adds up to `asked`; allowed are `atLeast` to `atMost`.
    error SplitOutOfBounds(uint256 asked, uint256 atLeast, uint256 atMost);
    /// @notice The token has no code.
    error TokenWithoutCode(address token);
    /// @notice The token delivered `received` where `asked` was pulled: it taxes transfers.
    error InexactTransfer(uint256 asked, uint256 received);
    /// @notice Too little gas was sent for a payout that failed; with more it may succeed.
    error GasTooLow(uint256 available, uint256 needed);
    /// @notice All agreements of a batch must have the verifiers of the first; `item` has others.
    error VerifiersDiffer(uint256 item);
    /// @notice What was signed counts on `what` ("epoch", "epochs", "handover", "held", "carried") as it was then.
    error ChangedSince(bytes32 what, uint256 signed, uint256 present);
    /// @notice Nothing is credited to the account.
    error NothingCredited(address token, address account);
    /// @notice The account still cannot receive the token.
    error WithdrawalFailed(address token, address account, uint256 amount);

    /// @notice Opens an agreement to which both parties consent, and funds the chosen milestones from the
    /// caller. Consent never moves money: tokens come only from the caller.
    /// @dev On an agreement that is open already, signatures are not looked at and chosen milestones that
    /// someone else has funded meanwhile are skipped, so nobody can make the call fail by being first.
    /// @param chosen Bitmap of milestones to fund; may be 0.
    /// @param buyerSignature Of the EIP-712 `Agreement`; empty where the buyer is the caller.
    /// @param supplierSignature Likewise for the supplier.
    /// @return agreementId The EIP-712 digest of the agreement under the domain of deployment.
    function open(
        Terms calldata terms,
        Milestone[] calldata milestones,
        uint256 chosen,
        bytes calldata buyerSignature,
        bytes calldata supplierSignature
    ) external returns (bytes32 agreementId);

    /// @notice Pays in the amounts of the chosen unfunded milestones, before their deadlines. A deposit
    /// goes on to the supplier at once. Anyone may fund; a refund goes to the buyer all the same.
    /// @param chosen Bitmap of milestones, at least one.
    function fund(Terms calldata terms, Milestone[] calldata milestones, uint256 chosen) external;

    /// @notice Like `fund`, from an account that signed an ERC-3009 authorization for this contract, this
    /// agreement and exactly these milestones. Anyone may send it; it pays, it never consents.
    function fundWithAuthorization(
        Terms calldata terms,
        Milestone[] calldata milestones,
        uint256 chosen,
        Authorization calldata authorization
    ) external;

    /// @notice Uses the caller's EIP-2612 permit for this contract; for `multicall`, before `open` or `fund`.
    /// @dev Never fails: somebody may have used the permit already, and then the allowance is there. Where
    /// it is not, the funding that follows fails.
    function permit(address token, uint256 amount, uint256 deadline, uint8 v, bytes32 r, bytes32 s) external;

    /// @notice Decides a milestone by a quorum of its verifiers: accepted in full or in part, or rejected.
    /// @dev Pays at once where accepted and the objection period is 0, else starts the clock. A later
    /// attestation replaces a pending one.
    /// @param signers Bitmap over `Terms.verifiers`, within the milestone's set.
    /// @param signatures One for each bit of `signers`, in ascending order: ECDSA of 65 or 64 bytes
    /// (EIP-2098), or whatever the verifier's contract takes (ERC-1271).
    function attest(
        Terms calldata terms,
        MilestoneRef calldata ref,
        Attestation calldata attestation,
        uint256 signers,
        bytes[] calldata signatures
    ) external;

    /// @notice Decides many milestones by one signature per verifier, of the EIP-712 `AttestBatch`. Items
    /// that can no longer be decided are skipped; transfers of one token to one account are joined.
    /// @param items Of agreements with the same verifiers.
    function attestBatch(BatchItem[] calldata items, uint256 signers, bytes[] calldata signatures) external;

    /// @notice The payee states that the milestone is done: paid when the review period ends, unless the
    /// buyer disputes or verifiers decide otherwise.
    /// @param validUntil Of the payee's signature; ignored where the payee calls.
    function submit(
        Terms calldata terms,
        MilestoneRef calldata ref,
        bytes32 evidenceHash,
        uint64 validUntil,
        bytes calldata signature
    ) external;

    /// @notice Objects to what is about to go against the caller. The buyer may dispute a progress payment,
    /// a submission and a pending release; the payee a looming or pending refund, where there is an arbiter.
    function dispute(
        Terms calldata terms,
        MilestoneRef calldata ref,
        bytes32 reasonHash,
        uint64 validUntil,
        bytes calldata signature
    ) external;

    /// @notice The arbiter splits what is held; a rest goes back to waiting for proof.
    /// @param toPayee Token units, before the fee.
    function rule(
        Terms calldata terms,
        MilestoneRef calldata ref,
        uint128 toPayee,
        uint128 toBuyer,
        bytes32 reasonHash,
        uint64 validUntil,
        bytes calldata signature
    ) external;

    /// @notice Splits what is held with the consent of whoever gives something up: the buyer where the
    /// payee receives, the payee where the buyer does. A part only while Funded, all of it elsewhere.
    /// @param toPayee Token units, before the fee.
    function resolve(
        Terms calldata terms,
        MilestoneRef calldata ref,
        uint128 toPayee,
        uint128 toBuyer,
        uint64 validUntil,
        bytes calldata buyerSignature,
        bytes calldata payeeSignature
    ) external;

    /// @notice Lets time decide, once the deadline or the clock has passed. Anyone may call.
    function finalize(Terms calldata terms, MilestoneRef calldata ref) external;

    /// @notice The payee hands the right to the milestone's payout to `assignee`, who from now on submits,
    /// disputes and consents in its place.
    function assign(
        Terms calldata terms,
        MilestoneRef calldata ref,
        address assignee,
        uint64 validUntil,
        bytes calldata signature
    ) external;

    /// @notice The caller buys the right to the milestone's payout by the payee's signed offer. The price
    /// goes from the caller, who has approved it, straight to the payee.
    function buyReceivable(
        Terms calldata terms,
        MilestoneRef calldata ref,
        Offer calldata offer,
        bytes calldata signature
    ) external;

    /// @notice A change order: settles milestones of one agreement and moves what they hold to a new one
    /// in the same token. The caller pays what is missing, the buyer so far gets what is left over. It carries
    /// money, never state, and only while the closed milestones are as they were when it was signed.
    /// @param signatures Of the EIP-712 `AgreedAmendment`, in this order: buyer, supplier, the new buyer and
    /// the new supplier where others take their place, and the assignee of each closed milestone that has
    /// one; empty where the account is the caller.
    /// @return agreementId The id of the new agreement.
    function amend(
        Terms calldata terms,
        Milestone[] calldata milestones,
        Amendment calldata amendment,
        bytes[] calldata signatures
    ) external returns (bytes32 agreementId);

    /// @notice Pays what was credited to `account` when it could not receive. Anyone may call.
    /// @dev With all the gas that the call has, unlike a payout.
    /// @param atMost Token units, at least 1; more than is credited takes all of it.
    /// @return amount Token units paid.
    function withdraw(address token, address account, uint256 atMost) external returns (uint256 amount);

    /// @notice The id that these terms and milestones have here, open or not.
    function agreementIdOf(Terms calldata terms, Milestone[] calldata milestones) external view returns (bytes32);

    /// @notice Whether the agreement was ever opened; it stays so for ever.
    function isOpen(bytes32 agreementId) external view returns (bool);

    /// @notice The states of the first `count` milestones. A settled one shows only its status.
    function milestoneStates(bytes32 agreementId, uint256 count) external view returns (MilestoneState[] memory);

    /// @notice What waits for `account` in `withdraw`.
    function creditOf(address token, address account) external view returns (uint256);

    /// @notice The digest that a verifier signs.
    function attestationDigest(Attestation calldata attestation) external view returns (bytes32);
}
