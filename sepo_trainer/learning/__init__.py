"""What moves the weights: traces and played rows, credit, advantages, losses, steps."""
