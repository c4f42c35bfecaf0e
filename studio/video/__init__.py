"""Pictures made out of nothing: scene recipes and what draws them."""
