"""A Kubernetes of two nodes on this machine, from its real programs: etcd, API server, controllers, scheduler, kube-proxy, and a
containerd and a kubelet for each node. `python -m tests.acceptance.kubernetes` runs one until Ctrl-C."""
