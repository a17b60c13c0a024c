"""Text in: prompts with references and token ids, from conversations, generated tasks, WikiText or a file."""
