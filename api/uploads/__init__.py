"""Uploading a list: in parts, or in one request. The janitor removes what uploads leave behind."""
