"""The peers: one folder each with `peer.py`, `requirements.txt` and what runs in the peer's own environment.

Adding a peer is adding a folder: it is found by its `peer.py`, whose name everywhere is the folder's.
"""
