"""The campaign itself: its states, its recipients, its ledger and its pace. Knows Redis; knows neither HTTP nor
mail.
"""
