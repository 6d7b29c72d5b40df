"""The published mixture of demonstrators, typed by hand."""

PUBLISHED = {
    "kuhn_poker": {
        "nash-approx": 0.45,
        "tight-value": 0.25,
        "pot-control": 0.20,
        "uniform": 0.08,
        "passive-queen": 0.02,
    },
    "prisoners_dilemma": {
        "tit-for-tat": 0.33,
        "always-defect": 0.27,
        "grim": 0.22,
        "random": 0.08,
        "generous-tit-for-tat": 0.05,
        "always-cooperate": 0.05,
    },
    "repeated_auction": {
        "half-value": 0.44,
        "value-minus-1": 0.28,
        "adaptive": 0.20,
        "uniform": 0.08,
    },
    "split_negotiation": {
        "fair": 0.32,
        "balanced": 0.27,
        "concedes-once": 0.18,
        "tit-for-tat": 0.15,
        "uniform": 0.08,
    },
    "item_negotiation": {
        "proportional": 0.35,
        "fair": 0.25,
        "best-reply": 0.25,
        "defensive": 0.15,
    },
}
"""The mixture of arXiv 2605.30854, under our names: "conservative" of the items is fair, "adaptive"
best-reply; the auction's "value bidder" half-value, its "aggressive" value-minus-1."""
