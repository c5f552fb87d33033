#!/usr/bin/env bash
# Pictures of every kind of mail, light and dark, on a phone and on a screen:
#
#     tests/render_preview.sh [folder]
#
# Needs a headless Chromium; fails if a page has to be scrolled sideways.
set -euo pipefail
cd "$(dirname "$0")/.."
folder=${1:-target/preview}

chromium=
for name in chromium chromium-browser google-chrome; do
    chromium=${chromium:-$(command -v "$name" || true)}
done
if [ -z "$chromium" ]; then
    echo "no Chromium is installed: nothing is rendered" >&2
    exit 0
fi

cargo run --quiet --example preview -- "$folder"
folder=$(realpath "$folder")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
browse() {
    timeout 60 "$chromium" --headless --no-sandbox --disable-gpu --hide-scrollbars \
        --user-data-dir="$work/profile" --allow-file-access-from-files "$@" 2>/dev/null
}

# A window is never narrower than 500 px, so a page is in a frame.
frame() {
    printf '<iframe name="%s" src="file://%s/%s.html" style="width:%spx;height:%spx;border:0"></iframe>\n' \
        "$1 $2" "$folder" "$1" "$2" "$3"
}
names=$(cd "$folder" && ls ./*.html | sed 's|^\./||; s|\.html$||')
{
    for name in $names; do
        for width in 360 1000; do frame "$name" "$width" 100; done
    done
    cat <<'HTML'
<pre id="sizes"></pre>
<script>
onload = () => {
  for (const frame of document.querySelectorAll('iframe')) {
    const page = frame.contentDocument.documentElement;
    document.getElementById('sizes').textContent +=
      `size ${frame.name} ${page.scrollWidth} ${page.scrollHeight}\n`;
  }
};
</script>
HTML
} >"$work/sizes.html"
browse --dump-dom "file://$work/sizes.html" | grep -o 'size [a-z-]* [0-9]* [0-9]* [0-9]*$' >"$work/sizes.txt"
[ "$(wc -l <"$work/sizes.txt")" = "$((2 * $(wc -w <<<"$names")))" ] || {
    echo "not every page was rendered" >&2
    exit 1
}

status=0
while read -r _ name width needed height; do
    if [ "$needed" -gt "$width" ]; then
        echo "$name needs $needed px of $width" >&2
        status=1
    fi
    {
        echo '<!DOCTYPE html><meta name="color-scheme" content="light dark"><body style="margin:0">'
        frame "$name" "$width" "$height"
    } >"$work/frame.html"
    for scheme in light dark; do
        # Zero is dark.
        browse --blink-settings=preferredColorScheme="$([ "$scheme" = dark ] && echo 0 || echo 1)" \
            --window-size="$((width > 500 ? width : 500)),$((height + 100))" \
            --screenshot="$folder/$name-$scheme-$width.png" "file://$work/frame.html"
    done
done <"$work/sizes.txt"
echo "$(wc -l <"$work/sizes.txt") pages, light and dark, are in $folder"
exit "$status"
