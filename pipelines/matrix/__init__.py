"""The map: every model pair and hard case × framework × format × variant, each with an outcome that was observed.

ground → cells → observe (in processes of their own, kept as records) → outcome → map.json, map.html, map.md
"""
