#!/bin/bash
# One node of Kubernetes in namespaces of its own: mount, cgroup, pid, net, uts. The Go code beside it says what is where:
#   STATE    the cluster's folder; its cgroups in $STATE/cgroups, keys in $STATE/pki
#   CACHE    what was built: bin, cni, images
#   FULL     what was built besides (controller manager, scheduler, kube-proxy), or nothing
# `node.sh enter` becomes the parent of the namespaces, `node.sh run` is process 1 in them and stays; when either ends, all
# of it ends. The file $STATE/ready says that the node is ready.
set -u
IP=10.123.0.1
SERVICE=10.96.0.1

enter() {
  local dir
  while read -r dir; do echo $BASHPID > "$dir/cgroup.procs" || exit 1; done < "$STATE/cgroups"
  exec unshare --mount --cgroup --pid --net --uts --fork --kill-child --mount-proc --propagation private /bin/bash "$0" run
}

fail() {
  echo "FAILED: $*"
  exit 1
}

mount() { command mount -n "$@"; } # -n: no line in the machine's /run/mount/utab

# A private /run, with the state and what was built at short paths in it: a socket's path may have 107 bytes.
mount_run() {
  mkdir -p "$STATE/mnt"
  mount -t tmpfs -o mode=755 tmpfs "$STATE/mnt" || fail "mount /run"
  mkdir -p "$STATE"/mnt/{lock,containerd} "$STATE"/mnt/e2e/{state,cache,full,fake,lib/upper,lib/work}
  mount --bind "$STATE" "$STATE/mnt/e2e/state" && mount --bind "$CACHE" "$STATE/mnt/e2e/cache" || fail "bind to /run"
  [ -z "$FULL" ] || mount --bind "$FULL" "$STATE/mnt/e2e/full" || fail "bind to /run"
  mount --move "$STATE/mnt" /run || fail "mount /run"
  STATE=/run/e2e/state CACHE=/run/e2e/cache
  export PATH=$CACHE/bin:/run/e2e/full/bin:$PATH
}

# This namespace's own view of cgroup v1.
mount_cgroups() {
  local line controllers options name
  mount -t tmpfs cgroup_root /sys/fs/cgroup || fail "mount /sys/fs/cgroup"
  while IFS=: read -r line controllers _; do
    [ -n "$controllers" ] || continue
    name=${controllers#name=} options=$controllers
    [ "$name" = "$controllers" ] || options="none,name=$name"
    mkdir -p "/sys/fs/cgroup/$name"
    mount -t cgroup -o "$options" cgroup "/sys/fs/cgroup/$name" || fail "mount cgroup $controllers (line $line)"
  done < /proc/self/cgroup
}

# What lands in /var/log is $STATE/varlog outside; what lands elsewhere in /var/lib goes with the namespace.
mount_var() {
  mkdir -p $STATE/varlog/{pods,containers} $STATE/{kubelet,manifests,volplugins,cni,kubecache}
  mount --bind $STATE/varlog /var/log || fail "mount /var/log"
  mount -t overlay -o lowerdir=/var/lib,upperdir=/run/e2e/lib/upper,workdir=/run/e2e/lib/work overlay /var/lib || fail "mount /var/lib"
  mkdir -p /var/lib/kubelet
  mount --bind $STATE/kubelet /var/lib/kubelet || fail "mount /var/lib/kubelet"
  mount --make-shared /var/lib/kubelet
}

# The kubelet sets these for the whole machine: it finds them set already, in files of our own.
fake_sysctls() {
  local s file
  for s in vm/overcommit_memory=1 vm/panic_on_oom=0 kernel/panic=10 kernel/panic_on_oops=1 kernel/keys/root_maxkeys=1000000 kernel/keys/root_maxbytes=25000000; do
    file=/run/e2e/fake/$(echo "${s%=*}" | tr / _)
    echo "${s#*=}" > "$file"
    mount --bind "$file" "/proc/sys/${s%=*}" || fail "mount $s"
  done
}

# Loopback, a bridge with the node's address, and the service address of the API server, for which no kube-proxy is needed.
network() {
  ip link set lo up && ip addr add $SERVICE/32 dev lo && ip link add n0 type bridge && ip addr add $IP/24 dev n0 &&
    ip link set n0 up && ip route add default dev n0 || fail "network"
  echo 1 > /proc/sys/net/ipv4/ip_forward
  cat > $STATE/cni/10-bridge.conflist <<JSON
{"cniVersion": "1.0.0", "name": "e2e", "plugins": [{
  "type": "bridge", "bridge": "cni0", "isGateway": true, "ipMasq": false, "hairpinMode": true,
  "ipam": {"type": "host-local", "dataDir": "$STATE/cni-ipam", "ranges": [[{"subnet": "10.88.0.0/16"}]], "routes": [{"dst": "0.0.0.0/0"}]}
}]}
JSON
}

configure() {
  local name
  for name in containerd.toml kubelet.yaml; do
    sed "s#@STATE@#$STATE#g; s#@BIN@#$CACHE/bin#g; s#@CNI@#$CACHE/cni#g" "$STATE/$name.in" > "$STATE/$name"
  done
  mkdir -p "$STATE/etcd" "$STATE/log"
  chmod 700 "$STATE/etcd"
}

STARTED=
start() {
  local name=$1
  shift
  "$@" > "$STATE/log/$name.log" 2>&1 &
  STARTED="$STARTED $name:$!"
}

# until_ok WHAT COMMAND: waits until the command succeeds, for a minute or more, or until a program has ended.
until_ok() {
  local what=$1 i p
  shift
  for ((i = 0; i < 300; i++)); do
    if "$@" > /dev/null 2>&1; then
      echo "$SECONDS s: $what"
      return
    fi
    for p in $STARTED; do kill -0 "${p#*:}" 2> /dev/null || fail "${p%:*} ended, see log/${p%:*}.log"; done
    sleep 0.2
  done
  fail "$what: not within a minute"
}

start_control_plane() {
  local pki=$STATE/pki
  start etcd etcd --data-dir $STATE/etcd --unsafe-no-fsync --listen-client-urls http://127.0.0.1:2379 --advertise-client-urls http://127.0.0.1:2379 \
    --listen-peer-urls http://127.0.0.1:2380 --initial-advertise-peer-urls http://127.0.0.1:2380 --initial-cluster default=http://127.0.0.1:2380
  # TaintNodesByCondition taints a new node until the controller manager takes the taint away; without one, nobody would.
  start kube-apiserver kube-apiserver --etcd-servers=http://127.0.0.1:2379 --bind-address=0.0.0.0 --advertise-address=$IP --secure-port=443 \
    --tls-cert-file=$pki/apiserver.crt --tls-private-key-file=$pki/apiserver.key --client-ca-file=$pki/ca.crt --token-auth-file=$pki/tokens.csv \
    --service-account-issuer=https://kubernetes.default.svc --service-account-key-file=$pki/sa.pub --service-account-signing-key-file=$pki/sa.key \
    --service-cluster-ip-range=10.96.0.0/16 --authorization-mode=Node,RBAC --allow-privileged=true \
    $([ -n "$FULL" ] || echo --disable-admission-plugins=TaintNodesByCondition) \
    --kubelet-client-certificate=$pki/kubelet-client.crt --kubelet-client-key=$pki/kubelet-client.key --kubelet-certificate-authority=$pki/ca.crt \
    --kubelet-preferred-address-types=InternalIP \
    --proxy-client-cert-file=$pki/front-proxy.crt --proxy-client-key-file=$pki/front-proxy.key --requestheader-client-ca-file=$pki/ca.crt \
    --requestheader-allowed-names=front-proxy --requestheader-username-headers=X-Remote-User --requestheader-group-headers=X-Remote-Group \
    --requestheader-extra-headers-prefix=X-Remote-Extra- --enable-aggregator-routing=true
}

start_node() {
  local image
  start containerd containerd -c $STATE/containerd.toml
  until_ok "containerd answers" ctr version
  for image in "$CACHE"/images/*.tar; do ctr images import "$image" || fail "import $image"; done
  until_ok "the API server is ready" kubectl get --raw /readyz
  start kubelet kubelet --config=$STATE/kubelet.yaml --kubeconfig=$STATE/kubelet.kubeconfig --hostname-override=node1 --node-ip=$IP --root-dir=/var/lib/kubelet \
    --tls-cert-file=$STATE/pki/kubelet.crt --tls-private-key-file=$STATE/pki/kubelet.key --v=2
}

start_full() {
  start kube-controller-manager kube-controller-manager --kubeconfig=$STATE/kube-controller-manager.kubeconfig \
    --service-account-private-key-file=$STATE/pki/sa.key --root-ca-file=$STATE/pki/ca.crt --leader-elect=false --use-service-account-credentials
  start kube-scheduler kube-scheduler --kubeconfig=$STATE/kube-scheduler.kubeconfig --leader-elect=false
  start kube-proxy kube-proxy --kubeconfig=$STATE/kube-proxy.kubeconfig --proxy-mode=nftables --hostname-override=node1 --bind-address=$IP \
    --conntrack-max-per-core=0 --oom-score-adj=0
}

run() {
  mount_run
  hostname node1
  mount_cgroups
  mount_var
  fake_sysctls
  network
  configure
  cd $STATE || fail "cd $STATE"
  export KUBECONFIG=$STATE/admin.kubeconfig KUBECACHEDIR=$STATE/kubecache CONTAINERD_ADDRESS=/run/containerd/containerd.sock CONTAINERD_NAMESPACE=k8s.io
  start_control_plane
  start_node
  [ -z "$FULL" ] || start_full
  until_ok "the default namespace is there" kubectl get namespace default
  until_ok "the node is ready" kubectl wait --for=condition=Ready node/node1 --timeout=10s
  touch $STATE/ready
  wait
}

"$1"
