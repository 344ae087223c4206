"""The Locust users and what they send with. Imported by the generator process only: it needs gevent's patching."""
