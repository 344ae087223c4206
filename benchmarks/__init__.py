"""Measures the reference server against its peers, each on one pinned core. Run the scripts; nothing imports them."""
