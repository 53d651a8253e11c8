"""What the interface takes and answers: the models that its OpenAPI document is made of."""
