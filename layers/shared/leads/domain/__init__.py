"""Define the rules of leads, imports and exports, without AWS, SQL or Powertools."""
