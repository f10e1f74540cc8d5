#!/usr/bin/env bash
# Colab, simulated: an environment with its versions, in which each notebook runs alone in an empty folder, fetches the lab
# (this commit stands at its address) and installs what is missing. Nothing that Colab brings may change on the way.
# Run it in the repository: .github/colab.sh PYTHON FOLDER [PINS]; FOLDER must not exist yet.
set -euo pipefail
python=$1 folder=$(realpath -m "$2") pins=$(realpath "${3:-.github/colab-constraints.txt}") lab=$PWD

mkdir -p "$folder"
"$python" -m venv "$folder/venv"
. "$folder/venv/bin/activate"
pip install --quiet -r "$pins"
pip freeze | sort > "$folder/before.txt"

address=$(PYTHONPATH=$lab python -c 'from labutils.address import BRANCH, REPOSITORY; print(BRANCH, REPOSITORY)')
git clone --quiet --bare "$lab" "$folder/lab.git"
git -C "$folder/lab.git" update-ref "refs/heads/${address% *}" HEAD
export GIT_CONFIG_GLOBAL=$folder/gitconfig LAB_PROFILE=smoke
git config --global "url.file://$folder/lab.git.insteadOf" "https://github.com/${address#* }"

for notebook in notebooks/*.ipynb; do
  name=$(basename "$notebook" .ipynb)
  echo "== $name, alone"
  mkdir -p "$folder/$name"
  cp "$notebook" "$folder/$name"
  (cd "$folder/$name" && jupyter nbconvert --log-level=WARN --to html --execute "$name.ipynb")
done

pip freeze | sort > "$folder/after.txt"
echo "== installed by the setup cell"
comm -13 "$folder/before.txt" "$folder/after.txt"
changed=$(comm -23 "$folder/before.txt" "$folder/after.txt")
[ -z "$changed" ] || { echo "Changed or gone: $changed"; exit 1; }
