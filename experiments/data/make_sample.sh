#!/bin/bash
# Makes the shipped sample, byte for byte, from the full data (README.md beside this file says from where).
#
# usage: make_sample.sh CIFAR10_FOLDER RESNET8_SAFETENSORS OUTPUT_FOLDER
#
# CIFAR10_FOLDER has train_1.bin.xz, test.bin.xz (every run of 100 records is balanced) and lossy_records.csv.
set -euo pipefail

if [[ $# -ne 3 ]]; then
  sed -n '4p' "$0" >&2
  exit 2
fi
cifar=$1 weights=$2 output=$3
run_bytes=$((100 * 3073))
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# make_part FILE FIRST_RECORD END_RECORD RUNS NAME: the first RUNS runs of 100 records of FILE between the two
# records, leaving out every run with a record that is not lossless.
make_part() {
  local file=$1 first=$2 end=$3 runs=$4 name=$5 run taken=0
  local lossy
  lossy=" $(awk -F, -v file="$file" '$1 == file { printf "%d ", $2 / 100 }' "$cifar/lossy_records.csv")"
  [[ -e $work/$file ]] || xz -dc "$cifar/$file.xz" >"$work/$file"
  for ((run = first / 100; run < end / 100 && taken < runs; ++run)); do
    [[ $lossy == *" $run "* ]] && continue
    dd if="$work/$file" bs="$run_bytes" skip="$run" count=1 status=none >>"$work/$name.bin"
    taken=$((taken + 1))
  done
  if ((taken < runs)); then
    echo "$file: only $taken lossless runs of 100 records in $first..$((end - 1)), $runs needed" >&2
    exit 1
  fi
  # Neighbouring pixels and rows are alike: two delta filters save 12 % over plain xz -9e.
  xz -T1 --check=crc64 --delta=dist=1 --delta=dist=32 --lzma2=preset=9e,dict=8MiB,lc=4,pb=0 \
    -c "$work/$name.bin" >"$output/$name.bin.xz"
}

mkdir -p "$output"
make_part train_1.bin 0 10000 20 cifar10_train
make_part test.bin 0 3000 10 cifar10_validation
make_part test.bin 3000 8000 20 cifar10_test
install -m 644 "$weights" "$output/resnet8.safetensors"
(cd "$output" && sha256sum cifar10_*.bin.xz resnet8.safetensors >SHA256SUMS)
