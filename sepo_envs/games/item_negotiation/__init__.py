"""The item negotiation."""
