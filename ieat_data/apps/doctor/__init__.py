"""`ieat doctor`: is all there and does it work, before a build of weeks is started?"""
