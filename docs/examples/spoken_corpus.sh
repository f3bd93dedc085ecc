#!/bin/sh
# A small labelled corpus: callers made by espeak-ng, and sox puts them into three noises. Usage: spoken_corpus.sh FOLDER
# Where they speak is known, because the pauses are put between the sentences; each NAME.txt is a label track of Audacity.
set -eu
folder=$1
mkdir -p "$folder"
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT

for voice in en-us en+f3 en-gb; do
  at=1.2 pieces="" labels="$work/$voice.txt"
  : > "$labels"
  sox -D -n -r 16000 "$work/pause.wav" trim 0 1.2
  for words in "Good morning." "I would like to book a table, for four people." "No, tomorrow evening." \
               "At a quarter past seven please, and near the window if you can." "Yes." "Thank you."; do
    espeak-ng -v "$voice" -s 150 -w "$work/raw.wav" "$words"
    piece="$work/$voice-$at.wav"
    sox -D "$work/raw.wav" -r 16000 "$piece" silence 1 0.01 0.2% reverse silence 1 0.01 0.2% reverse  # no quiet edges
    end=$(echo "$at $(soxi -D "$piece")" | awk '{printf "%.3f", $1 + $2}')
    printf '%s\t%s\tspeech\n' "$at" "$end" >> "$labels"
    at=$(echo "$end" | awk '{printf "%.3f", $1 + 1.2}')
    pieces="$pieces $piece $work/pause.wav"
  done
  sox -D "$work/pause.wav" $pieces "$work/$voice.wav"
  for noise in quiet:0.0005:whitenoise street:0.06:brownnoise fan:0.04:pinknoise; do
    name=$(echo "$noise" | cut -d: -f1) level=$(echo "$noise" | cut -d: -f2) kind=$(echo "$noise" | cut -d: -f3)
    sox -R -D -n -r 16000 "$work/noise.wav" synth "$at" "$kind" vol "$level"
    sox -D -m -v 0.3 "$work/$voice.wav" -v 1 "$work/noise.wav" -b 16 "$folder/$voice-$name.wav"
    cp "$labels" "$folder/$voice-$name.txt"
  done
done
