"""The contract and its twin in Python, driven by the same call."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from milestone_escrow.errors import LifecycleError
from milestone_escrow.protocol.lifecycle import State, Status
from milestone_escrow.protocol.transitions import Transition
from tests.contracts.support.contract import Refused
from tests.contracts.support.deal import Deal
from tests.contracts.support.world import World


def agree(
    world: World,
    deal: Deal,
    call: Callable[[], object],
    twin: Callable[[State], Transition],
    index: int = 0,
) -> State | None:
    """Both refuse with the same error and nothing changes, or both lead to the same state.

    Answers that state, None where the call was refused.
    """
    root = world.chain.root
    expected = _answer(twin, world.state(deal, index))
    if isinstance(expected, LifecycleError):
        with pytest.raises(Refused) as caught:
            call()
        assert caught.value.name == expected.fields["error"]
        assert world.chain.root == root
        return None
    call()
    found = world.state(deal, index)
    # The contract does not show the details of what is settled.
    assert found == (State(Status.SETTLED) if expected.status is Status.SETTLED else expected)
    return found


def _answer(twin: Callable[[State], Transition], state: State) -> State | LifecycleError:
    try:
        return twin(state).state
    except LifecycleError as error:
        return error
