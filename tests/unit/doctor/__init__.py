"""The findings of `lycatra doctor`, each from what it was seen by."""
