"""Who is asked: servers with the app on them, from their start to their end."""
