"""What a sender types: the filter's options, the batch, the SMTP filter, a look into a token."""
