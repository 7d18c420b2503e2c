"""Lists of people whose faces may not be used: operators', tenants', and that of people who opted out."""
