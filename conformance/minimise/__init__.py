"""A finding's exchange made as small as it can be: `search`, what can be left out, `script` and `framing` below it."""
