"""Real answers of a language model, labelled by a person, and how well the checks find what is wrong with them."""
