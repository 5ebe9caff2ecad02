# A day of Ferrule on a machine that has nothing but a shell and the core utilities. Run by `cargo xtask dist --try`.
set -euo pipefail

cd /opt
tar --extract --no-same-owner --file /dist.tar.gz
prefix="$(echo /opt/ferrule-*)"
PATH="$prefix/bin:$PATH"
for tool in cc cargo rustc python3; do
    if command -v "$tool" >/dev/null; then echo "this is no bare userland: it has $tool"; exit 1; fi
done
ferrule --version
for file in share/man/man1/ferrule.1 share/bash-completion/completions/ferrule share/zsh/site-functions/_ferrule \
    share/fish/vendor_completions.d/ferrule.fish share/doc/ferrule/README.md include/ferrule_plugin.h; do
    test -s "$prefix/$file" || { echo "$file is missing"; exit 1; }
done

cd /tmp
ferrule init lab
echo "== doctor"
# It may know of things to do better on such a machine; it has to run.
ferrule doctor lab || test $? = 1

echo "== a simulated microscope, a running engine"
ferrule engine lab >engine.log 2>&1 &
ferrule simulate --count 20 --preset demo-v1 --seed 1 --out lab/captures
for _ in $(seq 600); do
    if ferrule status --json lab 2>/dev/null | grep -q '"done":20'; then break; fi
    sleep 0.1
done
ferrule status lab
ferrule status --json lab | grep -q '"done":20' || { echo "not all captures are done:"; cat engine.log; exit 1; }
ferrule stop lab
wait

echo "== what is left of it"
ferrule verify lab
ferrule correlate --mode top:3 lab
ferrule export csv lab
ferrule export report lab
ferrule build lab/captures --out set --coco
test -s set/coco/annotations_train.json
echo "all of it ran"
