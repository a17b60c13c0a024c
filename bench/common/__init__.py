"""What every room may use: errors, the doors' argument parser, YAML files, statistics, where a number comes from."""
