"""The rulebooks, one folder each: rules, words, harms."""
