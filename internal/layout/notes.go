package layout

import "github.com/gomamba/gomamba/config"

// NoteConfig adds what is odd about the configuration's file to what is odd about those of the weights.
func (w *Weights) NoteConfig(cfg config.Config) {
	for _, n := range cfg.Shared().Notes() {
		w.Notes = append(w.Notes, Note{File: n.File, Where: n.Key, Detail: n.Detail})
	}
}
