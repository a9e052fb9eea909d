/* paths.h -- where things are when nobody says otherwise: socket, state, configuration.
 *
 * The daemon and the control tool must agree. All results are to be freed by
 * bbt_free(); NULL without memory. Reads the environment and the user id, nothing else.
 */
#ifndef SPEC_PATHS_H
#define SPEC_PATHS_H

/* $XDG_RUNTIME_DIR/bbtd/bbtd.sock for a user with a session, else /run/bbtd/bbtd.sock.
 */
char *paths_socket(void);

/* The system daemon's socket, whoever asks. */
char *paths_socket_system(void);

/* $STATE_DIRECTORY (systemd), $XDG_STATE_HOME/bbtd, ~/.local/state/bbtd, or
 * /var/lib/bbtd for root. */
char *paths_state(void);

/* $XDG_CONFIG_HOME/bbtd/bbtd.yaml, ~/.config/bbtd/bbtd.yaml, or /etc/bbtd/bbtd.yaml for
 * root. */
char *paths_config(void);

#endif
