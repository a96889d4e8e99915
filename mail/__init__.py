"""What is sent and through whom: templates to messages, messages to providers. Knows neither Redis nor the web."""
