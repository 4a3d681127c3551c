"""Values as JSON documents, and back."""
