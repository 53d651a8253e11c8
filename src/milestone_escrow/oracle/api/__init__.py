"""The oracle's HTTP interface: `create_app(deps)` in `app`, and what it is made of."""
