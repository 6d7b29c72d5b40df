"""The split negotiation."""
