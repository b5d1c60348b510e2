package loader

import "github.com/gomamba/gomamba/config"

// noteConfig adds what is odd about the configuration's file to what is odd about those of the weights.
func (w *weights) noteConfig(cfg config.Config) {
	for _, n := range cfg.Shared().Notes() {
		w.notes = append(w.notes, fault{severity: Warning, file: n.File, where: n.Key, detail: n.Detail})
	}
}
