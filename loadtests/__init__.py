"""How it is measured: Locust users per wire protocol, arrivals, and the recorder of raw samples."""
