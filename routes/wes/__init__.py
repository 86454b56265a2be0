"""The GA4GH Workflow Execution Service (WES) API."""
