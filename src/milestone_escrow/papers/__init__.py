"""Paper: invoices, receipts, contracts and statements for people, audit bundles for everybody."""
