"""The user's project: where its app is, as far as its files say."""
