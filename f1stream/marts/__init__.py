"""Running dbt, which builds the marts, and publishing them to the page."""
