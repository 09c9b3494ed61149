"""The dbt project that builds the marts, and what reads them."""
