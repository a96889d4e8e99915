"""Emails: renders templates to messages, and hands messages to providers. Knows neither Redis nor the web."""
