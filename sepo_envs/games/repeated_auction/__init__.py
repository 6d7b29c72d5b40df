"""The repeated first-price auction."""
