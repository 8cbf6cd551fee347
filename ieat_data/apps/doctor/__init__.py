"""`ieat doctor`: is everything there, and does it work, before a build of weeks starts?"""
