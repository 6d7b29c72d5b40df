"""Leaderboards: any agent, named by one spec string, scored and ranked on every domain."""
