"""The page: where buyers, suppliers, verifiers, arbiters and financiers do their part."""
