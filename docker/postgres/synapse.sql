-- Synapse wants a database of its own that sorts by bytes.
CREATE DATABASE synapse OWNER bridge ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0;
