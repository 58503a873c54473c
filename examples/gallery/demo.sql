-- The accounts of the demo. The password of all is open-sesame.

INSERT INTO tenants (id, name, plan, region) VALUES
	('acme', 'Acme', 'free', 'eu'),
	('globex', 'Globex', 'studio', 'us')
ON CONFLICT (id) DO NOTHING;

INSERT INTO users (email, name, tenant, password) VALUES
	('ada@acme.example', 'Ada', 'acme', '$2a$10$Hhkmev2EP3/p37eIvTEa2.EzKq7lhqDfxHQkxW/LD9Byfc9dJmZeG'),
	('alan@acme.example', 'Alan', 'acme', '$2a$10$Hhkmev2EP3/p37eIvTEa2.EzKq7lhqDfxHQkxW/LD9Byfc9dJmZeG'),
	('grace@globex.example', 'Grace', 'globex', '$2a$10$Hhkmev2EP3/p37eIvTEa2.EzKq7lhqDfxHQkxW/LD9Byfc9dJmZeG')
ON CONFLICT (email) DO NOTHING;
