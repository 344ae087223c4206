"""The reference server: the lean constant of every comparison. Ships inside the images, so it imports no host side."""
