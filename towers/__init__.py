"""What is learned: the papers' networks, losses, corpora, training, evaluation."""
