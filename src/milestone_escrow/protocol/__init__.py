"""The contract's twin: its terms, typed data and status table in pure Python."""
