"""Where it runs: the engines that start servers, the servers' descriptions, and the reference server itself."""
