"""The runner of netns-lab/lab: scenarios (folders of data) played on one machine in network namespaces."""
